def stories(source):
    return {}
